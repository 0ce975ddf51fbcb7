/** Bodies of requests and answers. */
import { valueAt } from "./_object.ts";
import { StatusError } from "./_status_error.ts";

/** @throws StatusError 400 */
export async function readBody(request: Request): Promise<unknown> {
  return parseJson(await request.text());
}

/** `DeleteOptions`, as far as the server heeds them; the query has the last word. @throws StatusError 400 */
export async function readDeleteOptions(request: Request): Promise<{ gracePeriodSeconds?: number; uid?: string }> {
  const text = await request.text();
  const body = text === "" ? {} : parseJson(text);
  const seconds = new URL(request.url).searchParams.get("gracePeriodSeconds") ?? valueAt(body, "gracePeriodSeconds");
  const uid = valueAt(body, "preconditions.uid");
  return {
    ...(seconds === undefined ? {} : { gracePeriodSeconds: Number(seconds) }),
    ...(typeof uid === "string" ? { uid } : {}),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : error;
    throw new StatusError(400, "BadRequest", `the body must be JSON: ${why}`);
  }
}

/** @returns the answer that carries the error */
export function failure(error: StatusError, headers: Readonly<Record<string, string>> = {}): Response {
  return Response.json(error.toStatus(), { status: error.code, headers });
}
