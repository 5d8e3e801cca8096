import { platformIds, platforms } from "@psn/platforms/index.ts";

/** `x.reply=following`, for each value that an option can have. */
export async function optionsOfPlatforms(): Promise<readonly string[]> {
  const all = await Promise.all(platformIds.map((id) => platforms[id]()));
  return all.flatMap(({ id, capabilities: { options = [] } }) =>
    options.flatMap(({ name, values = [] }) =>
      values.length > 0 ? values.map((value) => `${id}.${name}=${value}`) : [`${id}.${name}=`],
    ),
  );
}
