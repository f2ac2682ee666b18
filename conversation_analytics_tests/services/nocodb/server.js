// NocoDB on 127.0.0.1:$PORT; SQLite metadata and uploads lie in $NC_TOOL_DIR.
const express = require('express');
const { Noco } = require('nocodb');

const app = express();
const server = app.listen(Number(process.env.PORT), '127.0.0.1', async () => {
  app.use(await Noco.init({}, server, app));
});
