// A job's output, live. It comes as server-sent events; a browser that loses them comes back by
// itself and misses none. Only the last lines are kept in the page.
import {button, h} from "./dom.js";
import {parse} from "./json.js";
import {path} from "./http.js";

const KEPT = 2000;
const AGAIN_MS = 3000;

// What a program printed is a JSON string and shown as what it printed; all else as it is.
function words(data) {
    if (!data.startsWith("\""))
        return data;
    try {
        return parse(data);
    } catch {
        return data;
    }
}

function statusOf(data) {
    if (!data.includes("\"status\""))
        return null;
    try {
        const event = parse(data);
        return event?.type === "status" ? event.status : null;
    } catch {
        return null;
    }
}

// ended(status): once, when the job is over.
export function output(jid, ended) {
    const log = h("div", {className: "log mono", tabIndex: 0, role: "log", "aria-label": "Output", "aria-live": "off"});
    const state = h("span", {role: "status"}, "connecting");
    const omitted = h("span");
    let following = true;
    const follow = button("Follow", () => {
        following = true;
        log.scrollTop = log.scrollHeight;
    });
    log.addEventListener("scroll", () => {
        following = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
        follow.disabled = following;
    });

    let last = 0;     // the id that was seen last
    let waiting = []; // lines for the next frame
    let dropped = 0;
    let frame = 0;

    function draw() {
        frame = 0;
        const excess = waiting.length - KEPT;
        if (excess > 0) {
            waiting.splice(0, excess);
            dropped += excess;
        }
        log.append(...waiting.map(({id, data, status}) =>
            h("div", {className: status ? "status" : ""}, h("i", null, id), h("span", null, words(data)))));
        waiting = [];
        while (log.childElementCount > KEPT) {
            log.firstElementChild.remove();
            dropped++;
        }
        omitted.textContent = dropped > 0 ? `${dropped} earlier events are not shown` : "";
        if (following)
            log.scrollTop = log.scrollHeight;
    }

    let source = null;
    let timer = 0;

    function open() {
        source = new EventSource(path`/v1/jobs/${jid}/events?after=` + last);
        source.onopen = () => { state.textContent = "live"; };
        source.onmessage = event => {
            last = Number(event.lastEventId);
            const status = statusOf(event.data);
            waiting.push({id: event.lastEventId, data: event.data, status});
            frame ||= requestAnimationFrame(draw);
            if (status) {
                source.close();
                state.textContent = `ended: ${status}`;
                ended(status);
            }
        };
        source.onerror = () => {
            state.textContent = "interrupted, trying again";
            if (source.readyState === EventSource.CLOSED) // it was refused; the browser gave up
                timer = setTimeout(open, AGAIN_MS);
        };
    }
    open();

    return {
        node: h("section", {className: "card"},
                h("div", {className: "bar"}, h("h2", null, "Output"), state, omitted,
                  h("span", {className: "space"}), follow),
                log),
        close() {
            clearTimeout(timer);
            cancelAnimationFrame(frame);
            source.close();
        },
    };
}
