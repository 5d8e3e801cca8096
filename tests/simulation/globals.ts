import type { Kernel, Process } from "./kernel.ts";

/*
 * Timers that psn's own code sets, by the global functions, belong to the process that sets them. What anybody else
 * sets in the meantime (the test runner) stays real.
 */

interface Timer {
  back: () => void;
}

const real = { setTimeout, clearTimeout, setInterval, clearInterval, timeout: AbortSignal.timeout };

/** Puts the kernel's clock in place of the global timers. Returns how to put them back. */
export function virtualTimers(kernel: Kernel): () => void {
  const timers = new WeakSet<object>();
  const made = (timer: Timer) => {
    timers.add(timer);
    return Object.assign(timer, { unref: () => timer, ref: () => timer, hasRef: () => true });
  };
  const once = (owner: Process, run: () => void, ms: number) => made({ back: kernel.after(ms, owner, run) });
  const clear = (timer: unknown) => {
    if (typeof timer !== "object" || timer === null || !timers.has(timer)) return false;
    (timer as Timer).back();
    return true;
  };
  const virtual = {
    setTimeout: (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
      const owner = kernel.current();
      return owner ? once(owner, () => run(...args), ms) : real.setTimeout(run, ms, ...args);
    },
    clearTimeout: (timer: never) => void (clear(timer) || real.clearTimeout(timer)),
    setInterval: (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
      const owner = kernel.current();
      if (!owner) return real.setInterval(run, ms, ...args);
      const timer = made({ back: () => undefined });
      const again = () => {
        timer.back = kernel.after(ms, owner, () => {
          again();
          run(...args);
        });
      };
      again();
      return timer;
    },
    clearInterval: (timer: never) => void (clear(timer) || real.clearInterval(timer)),
  };
  Object.assign(globalThis, virtual);
  AbortSignal.timeout = (ms) => {
    const owner = kernel.current();
    if (!owner) return real.timeout.call(AbortSignal, ms);
    const controller = new AbortController();
    kernel.after(ms, owner, () => controller.abort(new DOMException("the operation timed out", "TimeoutError")));
    return controller.signal;
  };
  return () => {
    const { timeout, ...rest } = real;
    Object.assign(globalThis, rest);
    AbortSignal.timeout = timeout;
  };
}
