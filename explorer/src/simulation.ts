/** The page's side of the worker: settings go in, reports come out. */
import type { Report } from "./experiment";
import type { State } from "./state";
import type { Answer, Request } from "./worker";

/** The worker's program, put here by the build: a page opened from a file may start no worker from another file. */
declare const WORKER_SOURCE: string;

export class Simulation {
  private readonly worker: Worker;
  private latest = 0;
  private calls = 0;
  private readonly waiting = new Map<number, (value: unknown) => void>();

  /** @param show gets every report, and whether it is about the latest setting: a moving slider is ahead of it */
  constructor(show: (report: Report, current: boolean) => void) {
    const address = URL.createObjectURL(new Blob([WORKER_SOURCE], { type: "text/javascript" }));
    this.worker = new Worker(address);
    URL.revokeObjectURL(address);
    this.worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if (data.kind === "report") show(data.report, data.id === this.latest);
      if (data.kind === "value") {
        this.waiting.get(data.id)?.(data.value);
        this.waiting.delete(data.id);
      }
    };
  }

  run(state: State): void {
    this.worker.postMessage({ kind: "run", id: ++this.latest, state } satisfies Request);
  }

  /** Raw numbers of the worker's functions. */
  call(name: string, argument: unknown): Promise<unknown> {
    const id = ++this.calls;
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.worker.postMessage({ kind: "call", id, name, argument } as Request);
    });
  }
}
