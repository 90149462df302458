// Requests to the API that serves this page.
import {parse} from "./json.js";

const PATIENCE_MS = 15000;

export class Failure extends Error {
    constructor(status, code, message) {
        super(message);
        this.status = status;
        this.code = code;
    }
}

async function ask(method, path) {
    let answer, text;
    try {
        answer = await fetch(path, {
            method,
            headers: {Accept: "application/json"},
            signal: AbortSignal.timeout(PATIENCE_MS),
        });
        text = await answer.text();
    } catch {
        throw new Failure(0, "unreachable", "sluice-api cannot be reached");
    }
    const rights = answer.headers.get("Sluice-Rights");
    document.body.classList.toggle("read-only", rights === "read");
    let body;
    try {
        body = parse(text);
    } catch {
        throw new Failure(answer.status, "bad_answer", `${method} ${path}: the answer is no JSON`);
    }
    if (!answer.ok)
        throw new Failure(answer.status, body.error?.code, body.error?.message ?? answer.statusText);
    return body;
}

export const get = path => ask("GET", path);
export const post = path => ask("POST", path);
export const remove = path => ask("DELETE", path);

// path`/v1/jobs/${jid}`: what is put in is one segment, whatever is in it.
export const path = (texts, ...values) =>
    texts.reduce((all, text, i) => all + encodeURIComponent(values[i - 1]) + text);
