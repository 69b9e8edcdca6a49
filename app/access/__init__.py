"""Who may do what: keys with scopes, and signed tokens that stand for one exercise.

The table of operations says who is admitted; `Access`, in `admission`, decides before a body is read, and
`rights` what may then be seen of a grade. Without keys the service is open, and everybody may do everything.
"""
