let text = "";
for (let i = 0; i < 10000; i++) text = text + "0123456789";
if (text.length != 100000) throw "the length";
