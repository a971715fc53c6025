// Submits with axios and without a key, or with one that only holds its place, in each way it can send; prints the answers as JSON.
"use strict";
const axios = require("axios");

const [url, mark] = process.argv.slice(2);
const fields = (way, more) => ({ ...more, method: "userrecaptcha", uniq: `${mark}-${way}` });

function parts(pairs) {
  const data = new FormData();
  for (const [name, value] of Object.entries(pairs)) data.append(name, value);
  data.append("file", new Blob([Buffer.alloc(300000, 7)]), "captcha.png");
  return data;
}

(async () => {
  const api = axios.create({ baseURL: url, responseType: "text", proxy: false });
  const answers = {};
  for (const [name, more] of Object.entries({ absent: {}, empty: { key: "" }, null: { key: null }, zeros: { key: "0".repeat(32) } })) {
    const ways = {
      query: (one) => api.get("/in.php", { params: one }),
      form: (one) => api.post("/in.php", new URLSearchParams(JSON.parse(JSON.stringify(one).replace("null", '"-"')))),
      json: (one) => api.post("/in.php", one),
      multipart: (one) => api.post("/in.php", parts(JSON.parse(JSON.stringify(one).replace("null", '"-"')))),
    };
    for (const [way, send] of Object.entries(ways)) {
      answers[`${way}-${name}`] = String((await send(fields(`${way}-${name}`, more))).data);
    }
  }
  console.log(JSON.stringify(answers));
})();
