"""A local, stateful Amazon: SP-API, Login with Amazon and the consent page, driven by dials under /sandbox."""
