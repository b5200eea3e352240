"""Writes pyjson.jsonl: JSON texts and what Python's json.dumps(json.loads(text)) makes of them (null: refused).

Run with any Python 3.9 or later: python3 pyjson.py > pyjson.jsonl
"""
import json
import random
import struct
import sys

if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)
random.seed(20181103)

texts = r'''
{}
[]
[ ]
{ }
 {"a":1 ,"b" : [1,2 , 3]}
"plain"
"\u0041\u007f\u0080\u00e9 é 🪐 \ud83e\ude90 \/ \" \\ \b\f\n\r\t \u2028 \u0000"
"\ud800"
"\udc00\ud800"
"\ud83e\u0041"
"\ud83ex"
["\ud800\ud83e\ude90"]
"\u00E9\uD83E\uDE90"
{"\ud800": 1, "\ud800": 2}
{"a": 1, "b": 2, "a": {"c": [3, 4]}, "d": 5}
{"a": {"x": 1, "x": 22, "y": "zz", "x": 333}, "a": 1, "b": [{"q": 1, "q": 2}], "a": "longer than before"}
{"\u0061": 1, "a": 2}
NaN
[NaN, Infinity, -Infinity, null, true, false]
-NaN
+1
01
1.
.5
-
-0
-0.0
0.0
0
1e400
-1e400
1E5
1e5
1e-5
1e16
1e15
123456789012345678
1180591620717411303424
123456789012345680.0
1e22
1e21
0.0001
0.00001
0.1
100.0
5.0
1e+300
5e-324
1.7976931348623157e308
2.2250738585072014e-308
9007199254740993
9007199254740993.0
0.30000000000000004
1e0
[1,]
[,1]
{"a":}
{"a" 1}
{a: 1}
{'a': 1}
{"a": 1,}
"unfinished
"bad \x escape"
"bad \u12g4"
"\u12"
tru
nul
[1 2]
1 2
{"a": 1}}
[[[[[[1]]]]]]
{"a":{"b":{"c":{}}}}
'''.strip("\n").split("\n")
texts += ["", " ", "\t[1,\r\n2]\n", '"tab\tinside"', '"\x7f raw del"', '"\x01"', "\ufeff{}", "1\xa0", '{"a": 1}\x00', "[" * 200 + "]" * 200]
texts += ["9" * 400, "-" + "9" * 400, "9" * 309 + ".0", "0." + "0" * 330 + "1"]
for _ in range(400):
    value = struct.unpack("<d", random.randbytes(8))[0]
    texts.append(repr(value).replace("nan", "NaN").replace("inf", "Infinity"))
    texts.append(format(random.uniform(-1, 1) * 10 ** random.randint(-20, 20), ".25g"))


def tree(depth):
    kind = random.randint(0, 7 if depth else 5)
    if kind == 0:
        return random.choice([None, True, False])
    if kind == 1:
        return random.randint(-(2 ** 80), 2 ** 80)
    if kind == 2:
        return random.uniform(-1e3, 1e3)
    if kind <= 5:
        return "".join(chr(random.choice([random.randint(0, 0x7f), random.randint(0, 0xd7ff), random.randint(0xe000, 0x10ffff)])) for _ in range(random.randint(0, 8)))
    if kind == 6:
        return [tree(depth - 1) for _ in range(random.randint(0, 4))]
    return {"k%d" % random.randint(0, 5): tree(depth - 1) for _ in range(random.randint(0, 4))}


for index in range(300):
    texts.append(json.dumps(tree(4), ensure_ascii=bool(index % 2), indent=index % 3 or None, separators=(",", ":") if index % 5 == 0 else None))

for text in texts:
    try:
        out = json.dumps(json.loads(text))
    except ValueError:
        out = None
    print(json.dumps([text, out]))
