"""`python -m lienthong` is `lienthong`."""

from lienthong.main import main

if __name__ == "__main__":
    main()
