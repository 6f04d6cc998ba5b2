local list, sum = {}, 0
for i = 1, 3000000 do list[i] = i - 1 end
for i = 1, 3000000 do sum = sum + list[i] end
assert(sum == 4499998500000)
