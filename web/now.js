// Keeps the line "Now" and the newest launches up to date. Without it the page shows the same as of its loading.

const EVERY_MS = 2000;
const ADDRESS = new URL("../../api/v1/now", import.meta.url);

const section = document.querySelector("[data-now]");
const number = new Intl.NumberFormat("en");

/** "12 s", "5 min", "3 h", "2 days": the same words as the server's. */
function age(seconds) {
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

function write(name, text) {
  const place = section.querySelector(`[data-field="${name}"]`);
  if (place && place.textContent !== text) place.textContent = text;
}

function arrival(launch) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  time.dateTime = launch.time;
  time.textContent = launch.time.slice(11, 19);
  const unread = `${launch.provider ?? "an unknown provider"}, no repository that can be read`;
  item.append(time, " ", launch.repo?.replace(/^https:\/\//, "") ?? unread);
  return item;
}

function show(now) {
  section.classList.remove("lost");
  write("events", number.format(now.events));
  write("quarantined", number.format(now.quarantined));
  if (now.waiting !== null) write("waiting", now.waiting === 0 ? "nothing" : number.format(now.waiting));
  write("newest", now.newest_seconds === null ? "none yet" : `${age(now.newest_seconds)} ago`);
  write("lost", "");
  const list = section.querySelector("[data-arrivals]");
  list?.replaceChildren(...now.launches.map(arrival));
}

function lose() {
  section.classList.add("lost");
  write("lost", "The server does not answer; these are the last figures it gave.");
}

async function ask() {
  if (document.hidden) return;
  try {
    const answer = await fetch(ADDRESS, { signal: AbortSignal.timeout(EVERY_MS * 5) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json());
  } catch {
    lose();
  }
}

async function keepAsking() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    await ask();
  }
}

if (section) keepAsking();
