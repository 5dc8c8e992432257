"""A codec server: shows what is encrypted to who may see it, in the Web UI and by ``temporal``.

Browser and command line fetch encrypted payloads from Temporal and send them here to be decrypted.
https://docs.temporal.io/codec-server

- :mod:`~deploy.codec_server.server`: the HTTP server, and who may use it
"""
