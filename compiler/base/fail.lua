-- fail: how a script stops because of a mistake of the user, as opposed to a bug of rnnc.
--
-- What is raised here reaches the user as it stands, a line for each error, and rnnc exits with 1.
-- Any other error is a bug: rnnc prints a traceback and exits with 2.
local fail = {}

-- fail.with(lines): `lines` is a list of complete lines, "file:line: error: ...".
function fail.with(lines) error({ user_errors = lines }, 0) end

-- fail.at(place, message): one error; `place` is "file:line", "file", or the name of a command.
function fail.at(place, message) fail.with { place .. ": error: " .. message } end

-- fail.stale(place, message): as fail.at, of a file that rnnc made and can do without (tune.lua).
function fail.stale(place, message)
    error({ user_errors = { place .. ": error: " .. message }, stale = { place = place, message = message } }, 0)
end

-- fail.line(file, line, kind, message) -> a line; `line` may be nil, kind is "error", "warning" or "note".
function fail.line(file, line, kind, message)
    return (line and file .. ":" .. line or file) .. ": " .. kind .. ": " .. message
end

return fail
