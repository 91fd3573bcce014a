-- paths: a directory and a name in it, joined and split.
local paths = {}

-- paths.join(directory, name) -> the path of that file as a person writes it: without "./" in front.
function paths.join(directory, name)
    if directory == "." then return name end
    return directory:sub(-1) == "/" and directory .. name or directory .. "/" .. name
end

-- paths.split(path) -> the directory and the name: "a/b" is "a" and "b", "b" is "." and "b", "/b" is "/" and "b". The
-- name of "a/" is "".
function paths.split(path)
    local directory, name = path:match("^(.*)/([^/]*)$")
    if not directory then return ".", path end
    return directory == "" and "/" or directory, name
end

return paths
