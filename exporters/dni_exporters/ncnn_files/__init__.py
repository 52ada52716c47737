"""Files for programs that run ncnn: a .param and a .bin for each alpha, compared with PyTorch as ncnn runs them."""
