-- names: what a network can be called.
--
-- The name begins every symbol and names the files that are generated, so it must be a C and C++
-- identifier that is nobody else's, and NAME.h must not stand in the way of a header of the system.
local names = { MAX = 40 }

local function set(words)
    local result = {}
    for word in words:gmatch("%S+") do result[word] = true end
    return result
end

-- C11 6.4.1 and C++17 [lex.key], with the alternative tokens of [lex.digraph].
local keywords = set [[
    auto break case char const continue default do double else enum extern float for goto if inline int
    long register restrict return short signed sizeof static struct switch typedef union unsigned void
    volatile while
    alignas alignof asm bool catch char16_t char32_t class const_cast constexpr decltype delete
    dynamic_cast explicit export false friend mutable namespace new noexcept nullptr operator private
    protected public reinterpret_cast static_assert static_cast template this thread_local throw true
    try typeid typename using virtual wchar_t
    and and_eq bitand bitor compl not not_eq or or_eq xor xor_eq main
]]

-- C11 7.1.2 and the headers of POSIX and others whose names are identifiers.
local headers = set [[
    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign
    stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar
    wchar wctype
    aio cpio dirent dlfcn fcntl fmtmsg fnmatch ftw glob grp iconv langinfo libgen memory monetary
    mqueue ndbm netdb nl_types poll pthread pwd regex sched search semaphore spawn strings syslog tar
    termios trace ulimit unistd utime utmpx wordexp alloca malloc features endian getopt cblas
    immintrin
]]

-- names.invalid(name) -> nil, or what is wrong with it and what would do.
function names.invalid(name)
    local function instead(why)
        return why .. "; a name has letters, digits and single underscores inside, begins with a letter "
            .. "and ends with a letter or digit"
    end
    if name == "" then return instead("an empty name") end
    if #name > names.MAX then return "longer than " .. names.MAX .. " characters" end
    if not name:find("^[%a_][%w_]*$") then return instead("not a C identifier") end
    if name:find("^_") or name:find("__", 1, true) or name:find("_$") then
        return instead("reserved in C or C++")
    end
    if keywords[name] then return "a keyword of C or C++" end
    if headers[name:lower()] then return "the name of a system header, which NAME.h would hide" end
    if name:find("_weights$") then return "the files of a network without _weights at the end are named so" end
    if name:lower() == "rnnc" or name:lower():find("^rnnc_") then
        return "the names of the runtime begin with rnnc"
    end
end

-- names.from_file("models/7-amp.lua") -> "rnn_7_amp": the file's name, made fit.
function names.from_file(path)
    local stem = path:match("([^/]*)$"):gsub("%.lua$", "")
    local name = stem:gsub("[^%w]+", "_"):gsub("^_+", ""):gsub("_+$", "")
    if name == "" then return "model" end
    if not name:find("^%a") or names.invalid(name:sub(1, names.MAX)) then name = "rnn_" .. name end
    return (name:sub(1, names.MAX):gsub("_+$", ""))
end

return names
