// What makes pages more than they are without a script. Each part finds what it is for, or does nothing.

import "./now.js";
import "./menus.js";
import "./tables.js";
import "./chart.js";
