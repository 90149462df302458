# The table of bench/run, and its judgement: exit status 0 when every must is met.
#
# Reads bench/targets, then lines "BENCH FIGURE VALUE" of what was measured. shown: the benches
# whose rows are wanted, with spaces around each.

function trim(text) {
    gsub(/^[ \t]+|[ \t]+$/, "", text)
    return text
}

# Whole numbers with commas between thousands, others with as many digits as say something.
function readable(x,    text, head) {
    if (x > -1000 && x < 1000)
        return x == int(x) ? x "" : sprintf(x > -10 && x < 10 ? "%.2f" : "%.1f", x)
    text = sprintf("%.0f", x)
    while (match(text, /[0-9][0-9][0-9][0-9]+($|,)/)) {
        head = RSTART + RLENGTH - 1
        if (substr(text, head, 1) != ",")
            head++
        text = substr(text, 1, head - 4) "," substr(text, head - 3)
    }
    return text
}

# ">= 0.6"
function holds(x, condition,    part) {
    split(condition, part, " ")
    return part[1] == ">=" ? x >= part[2] + 0 : x <= part[2] + 0
}

# ">= 450000" or ">= 250000 if per_s >= 450000": asked at all?
function is_asked(b, condition,    at, part) {
    at = index(condition, " if ")
    if (!at)
        return condition != ""
    split(substr(condition, at + 4), part, " ")
    return holds(value[b, part[1]], part[2] " " part[3])
}

function shorten(condition,    part, at) {
    at = index(condition, " if ")
    if (at)
        condition = substr(condition, 1, at - 1)
    if (condition == "")
        return "-"
    split(condition, part, " ")
    return part[1] " " (part[2] + 0 < 1000 ? part[2] : readable(part[2] + 0))
}

function fill(b, text,    name, shown_as, start, end) {
    while ((start = index(text, "{")) > 0) {
        end = index(text, "}")
        name = substr(text, start + 1, end - start - 1)
        shown_as = "?"
        if ((b, name) in value)
            shown_as = readable(value[b, name])
        text = substr(text, 1, start - 1) shown_as substr(text, end + 1)
    }
    return text
}

function add(what, must, goal, figure, beside, verdict,    column) {
    rows++
    cell[rows, 1] = what; cell[rows, 2] = must; cell[rows, 3] = goal
    cell[rows, 4] = figure; cell[rows, 5] = beside; cell[rows, 6] = verdict
    for (column = 1; column <= 6; column++)
        if (length(cell[rows, column]) > width[column])
            width[column] = length(cell[rows, column])
}

function judge(i,    b, f, verdict) {
    b = bench[i]
    f = figure[i]
    if (!((b, f) in value)) {
        asked += must[i] != ""
        missing += must[i] != ""
        add(what[i], shorten(must[i]), shorten(goal[i]), "-", "", "not measured")
        return
    }
    verdict = ""
    if (is_asked(b, must[i])) {
        asked++
        verdict = holds(value[b, f], must[i]) ? "met" : "NOT MET"
        met += verdict == "met"
    } else if (must[i] != "") {
        verdict = "not asked"
    }
    if (goal[i] != "") {
        goals++
        if (verdict == "met" && holds(value[b, f], goal[i])) {
            verdict = "goal"
            goals_met++
        }
    }
    add(what[i], shorten(must[i]), shorten(goal[i]), readable(value[b, f]), fill(b, beside[i]), verdict)
}

function print_row(r) {
    printf("%-*s  %*s  %*s  %*s  %-*s  %s\n", width[1], cell[r, 1], width[2], cell[r, 2], width[3],
           cell[r, 3], width[4], cell[r, 4], width[5], cell[r, 5], cell[r, 6])
}

FNR == 1 { file++ }
file == 1 && /^[a-z]/ {
    split($0, part, "|")
    n++
    bench[n] = trim(part[1]); figure[n] = trim(part[2]); must[n] = trim(part[3])
    goal[n] = trim(part[4]); beside[n] = trim(part[5]); what[n] = trim(part[6])
    known[bench[n]] = 1
}
file == 2 {
    value[$1, $2] = $3 + 0
    if (!($1 in known))
        others[++other] = $1 " " $2
}

END {
    add("", "must", "goal", "figure", "beside it", "")
    for (i = 1; i <= n; i++)
        if (index(shown, " " bench[i] " "))
            judge(i)
    # A bench that nobody has written a row for.
    for (i = 1; i <= other; i++) {
        split(others[i], part, " ")
        add(part[1] ": " part[2], "-", "-", readable(value[part[1], part[2]]), "", "")
    }
    for (r = 1; r <= rows; r++)
        print_row(r)
    printf("\n%d of %d musts met, %d of %d goals", met, asked, goals_met, goals)
    printf(missing ? "; %d not measured\n" : "\n", missing)
    exit met < asked
}
