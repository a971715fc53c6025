// Submits and polls with axios and undici, chunked bodies among them; prints what each got as JSON.
"use strict";
const { Readable } = require("node:stream");
const axios = require("axios");
const undici = require("undici");

const [url, key] = process.argv.slice(2);
const form = (mark) => new URLSearchParams({ key, method: "userrecaptcha", uniq: mark }).toString();
const pieces = (text) => Readable.from([Buffer.from(text.slice(0, 10)), Buffer.from(text.slice(10))]);
const urlencoded = { "content-type": "application/x-www-form-urlencoded" };

async function withAxios() {
  const api = axios.create({ baseURL: url, responseType: "text", proxy: false });
  const got = await api.get("/in.php", { params: { key, method: "userrecaptcha", uniq: "axios-get" } });
  const post = await api.post("/in.php", new URLSearchParams({ key, method: "userrecaptcha", uniq: "axios-post" }));
  const json = await api.post("/in.php", { key, method: "userrecaptcha", uniq: "axios-json" });
  const chunked = await api.post("/in.php", pieces(form("axios-chunked")), { headers: urlencoded });
  const data = new FormData();
  for (const [name, value] of Object.entries({ key, method: "post", uniq: "axios-multipart" })) data.append(name, value);
  data.append("file", new Blob([Buffer.alloc(300000, 7)]), "captcha.png");
  const multipart = await api.post("/in.php", data);
  const echo = await api.post("/echo", pieces("x".repeat(100000)), { responseType: "json" });
  return { answers: [got, post, json, chunked, multipart].map((answer) => String(answer.data)), echo: echo.data };
}

async function withUndici() {
  const read = async (path, options) => (await undici.request(url + path, options)).body;
  const got = await (await read("/in.php?" + form("undici-get"))).text();
  const chunked = await (await read("/in.php", { method: "POST", headers: urlencoded, body: pieces(form("undici-chunked")) })).text();
  const fetched = await (await undici.fetch(url + "/in.php", { method: "POST", body: new URLSearchParams(form("undici-fetch")) })).text();
  const echo = await (await read("/echo", { method: "POST", body: pieces("x".repeat(100000)) })).json();
  return { answers: [got, chunked, fetched], echo };
}

(async () => {
  const found = { axios: await withAxios(), undici: await withUndici() };
  await undici.getGlobalDispatcher().close();
  console.log(JSON.stringify(found));
})();
