function run() {
	const list = [];
	let sum = 0;
	for (let i = 0; i < 3000000; i++) list.push(i);
	for (let i = 0; i < 3000000; i++) sum += list[i];
	return sum;
}
if (run() != 4499998500000) throw "the sum";
