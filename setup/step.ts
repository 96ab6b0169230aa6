/** What every step is given. Nothing below main.ts reads the process's own environment. */
export interface Context {
  root: string;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  /** For the tests: what each proxy needs, whichever this stack has. */
  everyProxy?: boolean;
}

/** How a step tells what it is doing. */
export interface Output {
  /** Something worth keeping on the screen: what is being installed, which way was taken. */
  announce(text: string): void;
  /** The latest line of a long work; only shown while it is the latest. */
  progress(line: string): void;
}

export interface Finding {
  /** Nothing left to do. */
  done: boolean;
  /** What was found when done, else what acting would do. */
  text: string;
}

/** One part of the set-up. Looking changes nothing; acting twice equals acting once. */
export interface Step {
  title: string;
  look(context: Context): Promise<Finding>;
  /** Does the work and returns what was reached, in a few words. */
  act(context: Context, output: Output): Promise<string>;
}
