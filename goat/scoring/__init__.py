"""The numbers: pure functions that give the same result on a laptop and on the server.

Each module stands alone; import the one you need. Only `psnr`, `ssim` and `sam` import NumPy.
"""
