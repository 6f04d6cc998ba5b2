local text = ""
for _ = 1, 10000 do text = text .. "0123456789" end
assert(#text == 100000)
