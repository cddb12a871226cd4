"""One parser per supported format, which finds an image's size without decoding it.

`walk` returns width and height in pixels, as stored, and the image's length in bytes, so data that
phones and editors append never reaches a decoder. It rejects images that are dangerous to decode;
detecting other damage is left to the decoder.
"""
