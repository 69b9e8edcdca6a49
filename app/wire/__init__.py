"""The only place where JSON meets NumPy: arrays, names, the readers of bodies, the writers of replies.

The forms of single fields, which the classes of `app.schemas` are made of, stand in `fields`. `reading` reads bodies
within the `limits`, large ones by their `skeletons`; `writing` writes replies; `tensors` does both for the binary form.
"""
