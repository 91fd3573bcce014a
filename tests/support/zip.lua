-- zip: archives of members that are stored, not deflated.

local crcs = {}
for i = 0, 255 do
    local value = i
    for _ = 1, 8 do value = value & 1 == 1 and 0xedb88320 ~ (value >> 1) or value >> 1 end
    crcs[i] = value
end

local function crc_of(text)
    local value = 0xffffffff
    for i = 1, #text do value = crcs[(value ~ text:byte(i)) & 255] ~ (value >> 8) end
    return value ~ 0xffffffff
end

-- zip(members) -> the bytes of an archive of members { name, text }, as they are.
return function(members)
    local out, central, at = {}, {}, 0
    for i, member in ipairs(members) do
        local about = string.pack("<I2I2I2I2I2I4I4I4I2I2", 20, 0, 0, 0, 33, crc_of(member[2]), #member[2], #member[2],
            #member[1], 0)
        out[i] = "PK\3\4" .. about .. member[1] .. member[2]
        central[i] = "PK\1\2" .. string.pack("<I2", 20) .. about .. string.pack("<I2I2I2I4I4", 0, 0, 0, 0, at)
            .. member[1]
        at = at + #out[i]
    end
    local list = table.concat(central)
    return table.concat(out) .. list
        .. "PK\5\6" .. string.pack("<I2I2I2I2I4I4I2", 0, 0, #members, #members, #list, at, 0)
end
