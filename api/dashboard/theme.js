// The colours that were chosen, before the page is first drawn. Without a choice, the system's.
const chosen = localStorage.getItem("theme");
if (chosen === "light" || chosen === "dark")
    document.documentElement.dataset.theme = chosen;
