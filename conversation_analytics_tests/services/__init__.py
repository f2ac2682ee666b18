"""Real services for the test suite, each a context manager that also works outside pytest.

    with start_mongod() as mongo, start_nocodb() as nocodb:
        ...

`install` fetches what they need into a cache outside the checkout; each of the other files starts
one service on a free loopback port and ends it, whatever happens, with the block or the process.
"""
