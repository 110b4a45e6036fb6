"""Notices: what an applicant is told of their dossier, in the way and the language they chose.

A follower of history (`notify`) writes down what is to be told, and then tells it: by e-mail, to
their portal's webhook, or by SMS through a gateway. Each event is told at most once: that it is
being told is written down first, and only what surely did not go out is tried again. Nothing of it
comes back into a dossier, and a view that is rebuilt tells nobody anything.
"""
