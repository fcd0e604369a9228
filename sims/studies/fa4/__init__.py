"""FlashAttention-4 on NVIDIA B200 and B300 (arXiv 2603.05451): bounds, the share of emulated exponentials, predicted TFLOP/s."""
