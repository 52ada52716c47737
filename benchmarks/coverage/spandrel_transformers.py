"""spandrel's architectures with attention: a small configuration of each, another one, and variants.

Depths are the smallest ones with a shifted window and, where kinds of blocks alternate, one of each.
"""

from row import Row

_IPT = {"n_feats": 4, "patch_dim": 3, "num_layers": 1, "num_queries": 2}
_UFORMER = {"img_size": 128, "embed_dim": 8, "depths": [1, 1, 1, 1, 2, 1, 1, 1, 1]}

ROWS = (
    Row("SwinIR", "SwinIR", "SwinIR", {
        "img_size": 16, "embed_dim": 12, "depths": [2], "num_heads": [2], "window_size": 4, "mlp_ratio": 2,
        "upscale": 2, "upsampler": "pixelshuffle"}),
    Row("SwinIR-jpeg", "SwinIR", "SwinIR", {
        "img_size": 14, "in_chans": 1, "embed_dim": 16, "depths": [2, 1], "num_heads": [4, 2], "window_size": 7,
        "mlp_ratio": 2, "img_range": 255.0, "resi_connection": "3conv"}),
    Row("SwinIR-unshuffle", "SwinIR", "SwinIR", {
        "img_size": 16, "embed_dim": 12, "depths": [2], "num_heads": [2], "window_size": 8, "mlp_ratio": 2,
        "upscale": 4, "upsampler": "nearest+conv", "start_unshuffle": 2},
        renamed={"conv_first.": "conv_first.1."}),
    Row("SwinIR-direct", "SwinIR", "SwinIR", {
        "img_size": 24, "embed_dim": 12, "depths": [2], "num_heads": [3], "window_size": 8, "mlp_ratio": 4,
        "upscale": 3, "upsampler": "pixelshuffledirect", "ape": False, "patch_norm": True}),
    Row("Swin2SR", "Swin2SR", "Swin2SR", {
        "img_size": 16, "embed_dim": 12, "depths": [2], "num_heads": [2], "window_size": 4, "mlp_ratio": 2,
        "upscale": 2, "upsampler": "pixelshuffle"}),
    Row("Swin2SR-real", "Swin2SR", "Swin2SR", {
        "img_size": 16, "embed_dim": 16, "depths": [2, 1], "num_heads": [4, 2], "window_size": 8, "mlp_ratio": 2,
        "upscale": 4, "upsampler": "nearest+conv", "resi_connection": "3conv"}),
    Row("Swin2SR-aux", "Swin2SR", "Swin2SR", {
        "img_size": 16, "embed_dim": 12, "depths": [2], "num_heads": [2], "window_size": 8, "mlp_ratio": 2,
        "upscale": 2, "upsampler": "pixelshuffle_aux"}),
    Row("HAT", "HAT", "HAT", {
        "embed_dim": 12, "depths": (2,), "num_heads": (2,), "window_size": 4, "compress_ratio": 3, "squeeze_factor": 4,
        "overlap_ratio": 0.5, "mlp_ratio": 2, "upscale": 2}),
    Row("HAT-16", "HAT", "HAT", {
        "embed_dim": 18, "depths": (2, 1), "num_heads": (3, 3), "window_size": 16, "compress_ratio": 6,
        "squeeze_factor": 6, "overlap_ratio": 0.5, "mlp_ratio": 2, "upscale": 4, "resi_connection": "identity"}),
    Row("GRL", "GRL", "GRL", {
        "embed_dim": 16, "depths": [2], "num_heads_window": [2], "num_heads_stripe": [2], "window_size": 8,
        "stripe_size": [8, 8], "stripe_shift": True, "mlp_ratio": 2, "anchor_window_down_factor": 4}),
    Row("GRL-sr", "GRL", "GRL", {
        "embed_dim": 24, "depths": [2], "num_heads_window": [1], "num_heads_stripe": [2], "window_size": 8,
        "stripe_size": [8, 16], "stripe_shift": True, "mlp_ratio": 2, "anchor_window_down_factor": 2, "upscale": 2,
        "upsampler": "pixelshuffledirect", "local_connection": True}, beside=("table_w", "table_sh", "index_sh_a2w")),
    Row("DAT", "DAT", "DAT", {
        "embed_dim": 32, "split_size": [4, 4], "depth": [2, 1], "num_heads": [2, 2], "expansion_factor": 2.0,
        "upscale": 2}),
    Row("DAT-light", "DAT", "DAT", {
        "embed_dim": 32, "split_size": [4, 8], "depth": [3], "num_heads": [4], "expansion_factor": 2.0, "upscale": 3,
        "upsampler": "pixelshuffledirect", "resi_connection": "3conv"}),
    Row("RGT", "RGT", "RGT", {
        "embed_dim": 32, "split_size": [4, 4], "depth": [2, 1], "num_heads": [2, 2], "mlp_ratio": 2.0, "upscale": 2}),
    Row("RGT-tall", "RGT", "RGT", {
        "embed_dim": 48, "split_size": [4, 8], "depth": [3], "num_heads": [4], "mlp_ratio": 2.0, "upscale": 3,
        "c_ratio": 0.5, "resi_connection": "3conv"}),
    Row("DRCT", "DRCT", "DRCT", {
        "img_size": 16, "embed_dim": 12, "depths": (6,), "num_heads": (2,), "window_size": 4, "gc": 4, "upscale": 2,
        "upsampler": "pixelshuffle"}),
    Row("DRCT-3x", "DRCT", "DRCT", {
        "img_size": 16, "embed_dim": 16, "depths": (6,), "num_heads": (4,), "window_size": 8, "gc": 8, "upscale": 3,
        "upsampler": "pixelshuffle", "resi_connection": "identity"}),
    Row("CRAFT", "CRAFT", "CRAFT", {
        "embed_dim": 32, "depths": [2], "num_heads": [2], "split_size_0": 4, "split_size_1": 16, "upscale": 2}),
    Row("CRAFT-3x", "CRAFT", "CRAFT", {
        "embed_dim": 48, "depths": [1, 1], "num_heads": [4, 4], "split_size_0": 4, "split_size_1": 8, "upscale": 3,
        "mlp_ratio": 1.0, "resi_connection": "identity"}),
    Row("DCTLSA", "DCTLSA", "DCTLSA", {"nf": 10, "upscale": 2}),
    Row("DCTLSA-3x", "DCTLSA", "DCTLSA", {"nf": 20, "upscale": 3}),
    Row("Uformer", "Uformer", "Uformer", {
        **_UFORMER, "num_heads": [1, 2, 4, 4, 4, 4, 4, 2, 2], "modulator": True}),
    Row("Uformer-mlp", "Uformer", "Uformer", {
        **_UFORMER, "depths": [1] * 9, "num_heads": [2] * 9, "win_size": 4, "token_mlp": "mlp", "mlp_ratio": 2.0,
        "qkv_bias": False}),
    Row("ATD", "ATD", "ATD", {
        "embed_dim": 12, "depths": (2,), "num_heads": (2,), "window_size": 4, "num_tokens": 8, "reducted_dim": 4,
        "mlp_ratio": 1.0, "upscale": 2, "upsampler": "pixelshuffle"}),
    Row("ATD-light", "ATD", "ATD", {
        "embed_dim": 48, "depths": (2,), "num_heads": (4,), "window_size": 8, "num_tokens": 16, "reducted_dim": 8,
        "mlp_ratio": 1.0, "upscale": 3, "upsampler": "pixelshuffledirect", "convffn_kernel_size": 3}),
    Row("ATD-restoration", "ATD", "ATD", {
        "embed_dim": 12, "depths": (2,), "num_heads": (3,), "window_size": 8, "num_tokens": 8, "reducted_dim": 4,
        "mlp_ratio": 1.0, "resi_connection": "3conv", "norm": False}),
    Row("OmniSR", "OmniSR", "OmniSR", {"num_feat": 16, "block_num": 1, "res_num": 1, "up_scale": 2}),
    Row("OmniSR-3x", "OmniSR", "OmniSR", {"num_feat": 8, "block_num": 2, "res_num": 1, "up_scale": 3, "window_size": 4,
                                          "bias": False}),
    Row("SCUNet", "SCUNet", "SCUNet", {"config": [1, 1, 1, 2, 1, 1, 1]}),
    Row("SCUNet-grey", "SCUNet", "SCUNet", {"config": [2, 1, 1, 1, 1, 1, 2], "in_nc": 1}),
    Row("FFTformer", "FFTformer", "FFTformer", {"dim": 8, "num_blocks": [1, 1, 1], "num_refinement_blocks": 1}),
    Row("FFTformer-bias", "FFTformer", "FFTformer", {
        "dim": 12, "num_blocks": [1, 1, 2], "num_refinement_blocks": 1, "ffn_expansion_factor": 2, "bias": True}),
    Row("RetinexFormer", "RetinexFormer", "RetinexFormer", {"n_feat": 8, "stage": 1}),
    Row("RetinexFormer-2", "RetinexFormer", "RetinexFormer", {"n_feat": 12, "stage": 2, "num_blocks": [1, 2, 1]}),
    Row("HVICIDNet", "HVICIDNet", "HVICIDNet", {"channels": [8, 8, 16, 32]}),
    Row("HVICIDNet-norm", "HVICIDNet", "HVICIDNet", {
        "channels": [6, 6, 12, 24], "heads": [1, 1, 2, 2], "norm": True}),
    Row("DITN", "DITN", "DITN", {"dim": 12, "ITL_blocks": 1, "SAL_blocks": 1, "upscale": 2}),
    Row("DITN-3x", "DITN", "DITN", {
        "dim": 16, "ITL_blocks": 1, "SAL_blocks": 2, "UFONE_blocks": 2, "bias": True, "upscale": 3}),
    Row("IPT", "IPT", "IPT", {**_IPT, "patch_size": 24, "scale": [2]}),
    Row("IPT-restoration", "IPT", "IPT", {
        **_IPT, "n_feats": 8, "patch_size": 12, "scale": [1, 1]}),
    Row("FDAT", "FDAT", "FDAT", {"embed_dim": 16, "num_groups": 1, "depth_per_group": 1, "num_heads": 2, "scale": 2}),
    Row("FDAT-unshuffle", "FDAT", "FDAT", {
        "embed_dim": 24, "num_groups": 2, "depth_per_group": 1, "num_heads": 4, "window_size": 4, "scale": 2,
        "unshuffle_mod": True, "upsampler_type": "pixelshuffledirect"}),
    Row("FDAT-nearest", "FDAT", "FDAT", {
        "embed_dim": 16, "num_groups": 1, "depth_per_group": 1, "num_heads": 2, "scale": 4, "mid_dim": 16,
        "upsampler_type": "nearest+conv"}),
    Row("RestoreFormer", "RestoreFormer", "RestoreFormer", {
        "n_embed": 32, "embed_dim": 32, "ch": 128, "ch_mult": (1, 1, 1, 1, 1, 1), "num_res_blocks": 1,
        "z_channels": 32}),
    Row("RestoreFormer-wide", "RestoreFormer", "RestoreFormer", {
        "n_embed": 16, "embed_dim": 64, "ch": 128, "ch_mult": (1, 1, 1, 1, 1, 2), "num_res_blocks": 1,
        "z_channels": 64}),
    Row("AuraSR", "AuraSR", "AuraSR", {
        "dim": 8, "image_size": None, "input_image_size": None, "init_dim": 8, "down_dim_mults": (1, 1, 1),
        "up_dim_mults": (1, 1, 1, 1, 1), "style_network": {"dim_in": 16, "dim_out": 64, "depth": 2},
        "self_attn_dim_head": 8, "attn_depths": (1, 1, 1, 1, 1), "mid_attn_depth": 1}, refused=True),
)  # fmt: skip
