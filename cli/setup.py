"""Which packages go along: the tool, and all of the service's, of which it uses the pure ones."""

from setuptools import find_packages, setup

setup(packages=["lienthong", "lienthong.catalogue", *find_packages("..", include=["chalicelib*"])])
