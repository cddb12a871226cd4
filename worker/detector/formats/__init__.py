"""One walker for each format that is read: from the bytes of an image to its size, undecoded.

A walker hands back the width and height in pixels, as stored, and the length of the image in
bytes: what phones and editors append after its end is never shown to a decoder. It refuses what
makes decoders dangerous. What it lets through may still be damaged: that is the decoder's finding.
"""
