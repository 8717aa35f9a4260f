"""A picture in, products out: what of it is looked at, what is searched among, and how it is asked.

Pure but for ``batching`` (a thread) and ``product_sets`` (a file). What decides is the shop's own
recogniser; there is no second rule here. How pictures arrive and answers leave is
``edge.dashboard.api.search``'s business.
"""
