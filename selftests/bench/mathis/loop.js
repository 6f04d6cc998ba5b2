function run() { let i = 0; while (i < 100000000) i = i + 1; return i; }
run();
