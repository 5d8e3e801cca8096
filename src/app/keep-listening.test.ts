import { afterEach, expect, test, vi } from "vitest";
import { keepListening } from "./keep-listening.ts";

afterEach(() => void vi.useRealTimers());

test("a worker that is told to stop waits for no timer", async () => {
  vi.useFakeTimers();
  const proven = vi.fn(async () => "heard" as const);
  const ears = keepListening({
    listen: async () => ({ prove: proven, close: async () => {} }),
    onWake: () => {},
    onChange: () => {},
    isAway: () => false,
  });
  await vi.waitUntil(() => ears.lookMs() > 1_000);
  const stopped = vi.fn();
  void ears.stop().then(stopped);
  await vi.advanceTimersByTimeAsync(0);
  expect(stopped).toHaveBeenCalled();
});
