// Starts every part. Each module minds its own elements, now and after each swap.

import "./keyed.js";
import "./dialogs.js";
import "./problems.js";
import "./theme.js";
import "./keys.js";
import { start as startTimes } from "./times.js";
import { start as startCards } from "./cards.js";
import { start as startRoom } from "./room.js";
import { start as startCommands } from "./commands.js";
import { start as startAttaching } from "./attaching.js";
import { start as startChart } from "./chart.js";
import { start as startLive } from "./live.js";
import { start as startPressing } from "./pressing.js";
import { start as startTitle } from "./title.js";

startTimes();
startCards();
startRoom();
startCommands();
startAttaching();
startChart();
startPressing();
startTitle();
startLive();
