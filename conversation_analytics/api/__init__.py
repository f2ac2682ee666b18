"""The REST API: what the lake holds, over HTTP.

    request ─> Envelope ─> Gate ─> route ─> readers of the lake ─> answer
               id, log,    host, size,      DuckDB on the files     JSON, ETag
               time, HEAD  key, rate        that manifests name     or a problem

Loading this package is cheap: FastAPI comes with `create_app` in `app.py`.
"""
