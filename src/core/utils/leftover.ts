import { rmSync } from "node:fs";

/**
 * A file or a folder that must not outlive this process, also where a signal ends it in the middle. What is returned
 * removes it now. Only SIGKILL and a power cut leave it.
 */
export function removedAtExit(path: string): () => void {
  const remove = () => rmSync(path, { recursive: true, force: true });
  process.once("exit", remove);
  return () => {
    process.removeListener("exit", remove);
    remove();
  };
}
