"""One walker per supported format: from an image's bytes to its size, without decoding.

A walker returns width and height in pixels, as stored, and the image's length in bytes: what phones
and editors append after its end never reaches a decoder. It refuses what is dangerous to decode.
What passes may still be damaged; that is for the decoder to find.
"""
