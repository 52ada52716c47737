"""spandrel's architectures without windows: a small configuration of each, another one, and variants."""

from row import Row

_REAL_ESRGAN = {  # the names that Real-ESRGAN's own code gives them
    r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.": r"body.\1.rdb\2.conv\3.", r"model\.0\.": "conv_first.",
    r"model\.1\.sub\.2\.": "conv_body.", r"model\.3\.": "conv_up1.", r"model\.6\.": "conv_up2.",
    r"model\.8\.": "conv_hr.", r"model\.10\.": "conv_last."}  # fmt: skip
_DEGRADATIONS = {"num_in_ch": 3, "num_out_ch": 3, "num_feat": 16, "num_block": 1, "num_grow_ch": 8}

ROWS = (
    Row("Compact", "Compact", "Compact", {"num_feat": 8, "num_conv": 2, "upscale": 2}),
    Row("Compact-grey", "Compact", "Compact", {
        "num_in_ch": 1, "num_out_ch": 1, "num_feat": 12, "num_conv": 3, "upscale": 3}),
    Row("SwiftSRGAN", "SwiftSRGAN", "SwiftSRGAN", {"num_channels": 16, "num_blocks": 2, "upscale_factor": 2}),
    Row("SwiftSRGAN-4x", "SwiftSRGAN", "SwiftSRGAN", {"num_channels": 12, "num_blocks": 1, "upscale_factor": 4}),
    Row("ESRGAN", "ESRGAN", "ESRGAN", {"num_filters": 16, "num_blocks": 1, "scale": 4}),
    Row("ESRGAN-real", "ESRGAN", "ESRGAN", {"num_filters": 12, "num_blocks": 2, "scale": 4}, renamed=_REAL_ESRGAN),
    Row("ESRGAN-1x", "ESRGAN", "ESRGAN", {"num_filters": 8, "num_blocks": 2, "scale": 1}),
    Row("ESRGAN-plus", "ESRGAN", "ESRGAN", {"num_filters": 16, "num_blocks": 1, "scale": 2, "plus": True}),
    Row("ESRGAN-unshuffle", "ESRGAN", "ESRGAN", {
        "in_nc": 12, "num_filters": 16, "num_blocks": 1, "scale": 4, "shuffle_factor": 2}),
    Row("ESRGAN-unshuffle-4", "ESRGAN", "ESRGAN", {
        "in_nc": 48, "num_filters": 8, "num_blocks": 1, "scale": 4, "shuffle_factor": 4}),
    Row("SPAN", "SPAN", "SPAN", {"num_in_ch": 3, "num_out_ch": 3, "feature_channels": 16, "upscale": 2}),
    Row("SPAN-nonorm", "SPAN", "SPAN", {
        "num_in_ch": 3, "num_out_ch": 3, "feature_channels": 12, "upscale": 4, "norm": False}),
    Row("RealCUGAN", "RealCUGAN", "UpCunet2x"),
    Row("RealCUGAN-3x", "RealCUGAN", "UpCunet3x"),
    Row("RealCUGAN-4x", "RealCUGAN", "UpCunet4x"),
    Row("RealCUGAN-pro", "RealCUGAN", "UpCunet2x", {"pro": True}),
    Row("RealCUGAN-2x_fast", "RealCUGAN", "UpCunet2x_fast"),
    Row("SAFMN", "SAFMN", "SAFMN", {"dim": 12, "n_blocks": 2, "upscaling_factor": 2}),
    Row("SAFMN-4x", "SAFMN", "SAFMN", {"dim": 16, "n_blocks": 1, "ffn_scale": 1.5, "upscaling_factor": 4}),
    Row("SAFMNBCIE", "SAFMNBCIE", "SAFMNBCIE", {"dim": 12, "n_blocks": 1, "num_layers": 2}),
    Row("SAFMNBCIE-4x", "SAFMNBCIE", "SAFMNBCIE", {"dim": 8, "n_blocks": 2, "num_layers": 1, "upscaling_factor": 4}),
    Row("KBNet", "KBNet", "KBNet_s", {"width": 8, "middle_blk_num": 1, "enc_blk_nums": [1], "dec_blk_nums": [1]}),
    Row("KBNet-light", "KBNet", "KBNet_s", {
        "width": 16, "middle_blk_num": 1, "enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1], "lightweight": True}),
    Row("KBNet-large", "KBNet", "KBNet_l", {
        "dim": 24, "num_blocks": [1, 1, 1, 1], "num_refinement_blocks": 1, "heads": [1, 2, 2, 4]}),
    Row("NAFNet", "NAFNet", "NAFNet", {
        "width": 8, "middle_blk_num": 1, "enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1]}),
    Row("NAFNet-grey", "NAFNet", "NAFNet", {
        "img_channel": 1, "width": 6, "middle_blk_num": 2, "enc_blk_nums": [1, 1, 1], "dec_blk_nums": [1, 1, 1]}),
    Row("MixDehazeNet", "MixDehazeNet", "MixDehazeNet", {"embed_dims": [8] * 5, "depths": [1] * 5}),
    Row("MixDehazeNet-2", "MixDehazeNet", "MixDehazeNet", {
        "embed_dims": [8, 16, 16, 16, 8], "depths": [1, 1, 2, 1, 1]}),
    Row("DnCNN", "DnCNN", "DnCNN", {"in_nc": 3, "out_nc": 3, "nc": 16, "nb": 4}),
    Row("DnCNN-grey", "DnCNN", "DnCNN", {"nc": 8, "nb": 9, "act_mode": "R"}),
    Row("FDnCNN", "DnCNN", "DnCNN", {"in_nc": 4, "out_nc": 3, "nc": 12, "nb": 9, "act_mode": "R", "mode": "FDnCNN"}),
    Row("DRUNet", "DRUNet", "DRUNet", {"in_nc": 4, "out_nc": 3, "nc": [8, 8, 16, 16], "nb": 2}),
    Row("DRUNet-grey", "DRUNet", "DRUNet", {
        "in_nc": 2, "out_nc": 1, "nc": [8, 8, 8, 8], "nb": 2, "upsample_mode": "pixelshuffle"}),
    Row("FBCNN", "FBCNN", "FBCNN", {"nc": [8, 8, 8, 512], "nb": 2}),
    Row("FBCNN-grey", "FBCNN", "FBCNN", {"in_nc": 1, "out_nc": 1, "nc": [8, 12, 16, 512], "nb": 2,
                                         "downsample_mode": "avgpool", "upsample_mode": "pixelshuffle"}),
    Row("MMRealSR", "MMRealSR", "MMRealSR", {
        **_DEGRADATIONS, "num_feats": [8], "num_blocks": [2], "downscales": [1]}),
    Row("MMRealSR-down", "MMRealSR", "MMRealSR", {
        **_DEGRADATIONS, "num_feats": [8, 8], "num_blocks": [1, 1], "downscales": [2, 1]}),
    Row("PLKSR", "PLKSR", "PLKSR", {"dim": 16, "n_blocks": 2, "kernel_size": 9, "upscaling_factor": 2}),
    Row("PLKSR-sparse", "PLKSR", "PLKSR", {
        "dim": 12, "n_blocks": 1, "ccm_type": "DCCM", "lk_type": "SparsePLK", "upscaling_factor": 3}),
    Row("PLKSR-rect", "PLKSR", "PLKSR", {
        "dim": 12, "n_blocks": 1, "ccm_type": "ICCM", "lk_type": "RectSparsePLK", "kernel_size": 9, "use_ea": False,
        "upscaling_factor": 4}),
    Row("RealPLKSR", "PLKSR", "RealPLKSR", {"dim": 16, "n_blocks": 2, "kernel_size": 9, "upscaling_factor": 2}),
    Row("RealPLKSR-dysample", "PLKSR", "RealPLKSR", {
        "dim": 16, "n_blocks": 1, "kernel_size": 5, "upscaling_factor": 2, "dysample": True, "layer_norm": True}),
    Row("MoSR", "MoSR", "MoSR", {"dim": 16, "n_block": 2, "upscale": 2}),
    Row("MoSR-dysample", "MoSR", "MoSR", {"dim": 16, "n_block": 1, "upscale": 2, "upsampler": "dys"}),
    Row("MoSR-gps", "MoSR", "MoSR", {"dim": 12, "n_block": 1, "upscale": 3, "upsampler": "gps", "conv_ratio": 0.5}),
    Row("MoESR", "MoESR", "MoESR", {"dim": 16, "n_blocks": 1, "n_block": 2, "scale": 2}),
    Row("MoESR-pixelshuffle", "MoESR", "MoESR", {
        "dim": 12, "n_blocks": 2, "n_block": 1, "scale": 4, "upsampler": "pixelshuffle", "upsample_dim": 16}),
    Row("MoESR-nearest", "MoESR", "MoESR", {
        "dim": 12, "n_blocks": 1, "n_block": 1, "scale": 2, "upsampler": "nearest+conv", "upsample_dim": 16}),
    Row("MoESR-dysample", "MoESR", "MoESR", {
        "dim": 16, "n_blocks": 1, "n_block": 1, "scale": 2, "upsampler": "dysample"}),
    Row("SeemoRe", "SeemoRe", "SeemoRe", {"num_experts": 3, "num_layers": 1, "embedding_dim": 12, "scale": 2}),
    Row("SeemoRe-exp", "SeemoRe", "SeemoRe", {
        "num_experts": 4, "num_layers": 2, "embedding_dim": 16, "scale": 4, "lr_space": "exp",
        "global_kernel_size": 7}),
    Row("RCAN", "RCAN", "RCAN", {
        "n_resgroups": 1, "n_resblocks": 2, "n_feats": 16, "reduction": 4, "scale": 2}),
    Row("RCAN-unshuffle", "RCAN", "RCAN", {
        "n_resgroups": 2, "n_resblocks": 1, "n_feats": 12, "reduction": 3, "scale": 2, "norm": False,
        "unshuffle_mod": True}),
    Row("GFPGAN", "GFPGAN", "GFPGAN", {"input_is_latent": True, "different_w": True, "sft_half": True}, large=True),
    Row("LaMa", "LaMa", "LaMa", {"in_nc": 4}, refused=True, large=True),
)  # fmt: skip
