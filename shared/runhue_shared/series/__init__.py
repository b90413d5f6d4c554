"""Points of logged metrics as numpy arrays: pure, without I/O.

`values` says which type a value has, `columns` reads `Rows` off the wire, `points` merges and summarizes,
`segments` folds whole transactions at once, `chunks` is the stored form, `pyramid` the reduced one.
"""
