"""Results as one HTML page that needs no network.

`entries.py` and `summary.py` say what the page tells of each result and of all of them,
`photos.py` gets the photographs, `page.py` puts the file together from what is in `assets/`.
"""
