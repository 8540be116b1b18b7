// The contract (contract.py) on Node's `ws`. Arguments: unix socket path, "deflate" or "plain".
"use strict";

const http = require("node:http");
const path = require("node:path");
const { WebSocketServer } = require(path.join(__dirname, "..", "node_modules", "ws"));

const SUBPROTOCOLS = ["tieline.v2", "tieline.v1"];
const AUTHORIZATION = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
const FLOOD = Buffer.alloc(64 * 1024);
const [unixPath, compression] = process.argv.slice(2);

function report(event, target, data) {
  const url = new URL(target, "ws://peer");
  const key = url.search.slice(1);
  process.stdout.write(JSON.stringify({ event, key, path: url.pathname, ...data }) + "\n");
}

function httpAnswer(target, headers) {
  const url = new URL(target, "ws://peer");
  if (url.pathname === "/refuse") return [403, "Forbidden", { "X-Why": "closed" }, "not today"];
  if (url.pathname === "/redirect") return [302, "Found", { Location: `/echo${url.search}` }, ""];
  if (url.pathname === "/loop") return [302, "Found", { Location: target }, ""];
  if (url.pathname === "/private" && headers.authorization !== AUTHORIZATION) {
    return [401, "Unauthorized", { "WWW-Authenticate": 'Basic realm="peers"' }, "who are you?"];
  }
  return null;
}

// The options of its permessage-deflate; false: it is declined.
function compressionFor(pathname) {
  if (pathname === "/plain") return false;
  if (!pathname.startsWith("/deflate")) return compression === "deflate";
  const options = { threshold: 0 };
  for (const parameter of pathname.split("/").slice(2)) {
    const [name, value] = parameter.split("=");
    const option = name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
    options[option] = value === undefined ? true : Number(value);
  }
  return options;
}

// One for each path, because the options belong to it.
const servers = new Map();

function serverFor(url) {
  const { pathname } = new URL(url, "ws://peer");
  if (!servers.has(pathname)) {
    const server = new WebSocketServer({
      noServer: true,
      perMessageDeflate: compressionFor(pathname),
      handleProtocols: (offered) => SUBPROTOCOLS.find((name) => offered.has(name)) || false,
    });
    servers.set(pathname, server.on("connection", onConnection));
  }
  return servers.get(pathname);
}

function reportExtensions(websocket, url) {
  const { pathname } = new URL(url, "ws://peer");
  if (pathname !== "/plain" && !pathname.startsWith("/deflate")) return;
  const extension = websocket._extensions["permessage-deflate"];
  const deflate = extension && {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: 15,
    client_max_window_bits: 15,
    ...extension.params,
  };
  report("agreed", url, { deflate: deflate || null });
}

function onConnection(websocket, request) {
  reportExtensions(websocket, request.url);
  websocket.on("pong", () => websocket.send("pong"));
  websocket.on("error", () => {}); // a Close with its code follows
  websocket.on("close", (code, reason) => {
    report("close", request.url, { code, reason: reason.toString() });
  });
  // Messages are compressed in the background, and terminate() would drop them.
  let unsent = 0;
  const vanish = () => (unsent ? setImmediate(vanish) : websocket.terminate());
  websocket.on("message", (data, isBinary) => {
    if (isBinary) return websocket.send(data, { binary: true });
    const text = data.toString();
    const words = text.split(" ");
    if (words[0] === "!close") websocket.close(Number(words[1]), words.slice(2).join(" "));
    else if (words[0] === "!vanish") vanish();
    else if (words[0] === "!fragments") {
      words.slice(1).forEach((word, i) => websocket.send(word, { fin: i === words.length - 2 }));
    } else if (words[0] === "!ping") websocket.ping("are you there");
    else if (words[0] === "!deaf") websocket.pause();
    else if (words[0] === "!flood") {
      const flood = () => websocket.readyState === 1 && websocket.send(FLOOD, flood);
      flood();
    } else {
      unsent += 1;
      websocket.send(text, () => (unsent -= 1));
    }
  });
}

function onUpgrade(request, socket, head) {
  report("request", request.url, { headers: request.headers });
  socket.on("error", () => {});
  if (request.url.startsWith("/silent")) return;
  const answer = httpAnswer(request.url, request.headers);
  if (answer === null) {
    const server = serverFor(request.url);
    server.handleUpgrade(request, socket, head, (websocket) => {
      server.emit("connection", websocket, request);
    });
    return;
  }
  const [status, reason, headers, body] = answer;
  const lines = Object.entries({ ...headers, "Content-Length": body.length, Connection: "close" });
  const head_ = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${head_}\r\n${body}`);
}

const overUnix = http.createServer().on("upgrade", onUpgrade);
const overTcp = http.createServer().on("upgrade", onUpgrade);
overUnix.listen(unixPath, () => {
  overTcp.listen(0, "127.0.0.1", () => report("listening", "/", { port: overTcp.address().port }));
});
process.stdin.on("end", () => process.exit(0)).resume();
