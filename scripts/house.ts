import { fileURLToPath } from "node:url";
import { LAYERS } from "./house/layers.ts";
import { picture, surveyed } from "./house/picture.ts";
import { sizesOf } from "./house/sizes.ts";

/*
 * Prints the house: who may import whom, each room with its lines, and who does import whom. Ends with 1 where an
 * import leads upward or in a circle.
 */

const [, , flag, folder = fileURLToPath(new URL("..", import.meta.url))] = process.argv;
if (flag === "--sizes") {
  const { manyParameters, conditionalSpreads, wideLines, storeCalls, platforms, longest, ...counts } = sizesOf(folder);
  for (const [name, count] of Object.entries(counts)) console.log(`${name.padEnd(20)} ${count}`);
  console.log(`${"manyParameters".padEnd(20)} ${manyParameters.length}`);
  console.log(`${"conditionalSpreads".padEnd(20)} ${conditionalSpreads.length}`);
  console.log(`${"wideLines".padEnd(20)} ${wideLines.length}`);
  console.log(`${"storeCalls".padEnd(20)} ${storeCalls.length}`);
  for (const { name, lines } of longest) console.log(`longest              ${String(lines).padStart(5)}  ${name}`);
  for (const [name, lines] of Object.entries(platforms))
    console.log(`platform             ${String(lines).padStart(5)}  ${name}`);
  process.exit(0);
}

const pad = (name: string) => name.padEnd(Math.max(...Object.keys(LAYERS).map(({ length }) => length)));
const house = surveyed(fileURLToPath(new URL("..", import.meta.url)));

console.log("may import (scripts/house/layers.ts)\n");
for (const [name, { may, packages }] of Object.entries(LAYERS)) {
  console.log(`  ${pad(name)}  ${may.join(", ") || "nothing"}`);
  if (packages.length > 0) console.log(`  ${pad("")}  packages: ${packages.join(", ")}`);
}

console.log("\nrooms, files, lines\n");
for (const { name, files, lines, holds } of house.rooms)
  console.log(`  ${pad(name)}  ${String(files).padStart(3)}  ${String(lines).padStart(6)}  ${holds}`);

const arrows = house.rooms.reduce((sum, { imports }) => sum + imports.size, 0);
console.log(`\n${house.rooms.length} rooms, ${arrows} arrows: level, room, what it imports\n`);
console.log(picture(house).replace(/^/gm, "  "));
console.log(`\nupward: ${house.upward.join(", ") || "none"}`);
console.log(`circles of files: ${house.circles.map((circle) => circle.join(" ")).join("; ") || "none"}`);
process.exitCode = house.upward.length + house.circles.length > 0 ? 1 : 0;
