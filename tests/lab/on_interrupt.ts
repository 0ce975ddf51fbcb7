/** A Ctrl-C or SIGTERM runs `clean` and ends the process. @returns what gives the signals their ordinary meaning back */
export function onInterrupt(clean: () => PromiseLike<void>): Disposable {
  const end = async (): Promise<void> => {
    await clean();
    Deno.exit(130);
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, end);
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) Deno.removeSignalListener(signal, end);
    },
  };
}
