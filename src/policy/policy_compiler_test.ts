import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { compilePolicyTable } from "./compile_policy_table.ts";
import { PolicyCompiler } from "./policy_compiler.ts";
import { renderPolicyTable } from "./render_policy_table.ts";
import { applyChanges, EMPTY_TABLE } from "./testdata/_apply_changes.ts";
import { ChangingWorld, policyEvents } from "./testdata/_policy_events.ts";

Deno.test("PolicyCompiler gives the table that compilePolicyTable() gives, and changes that lead there, whatever happened before", () => {
  fc.assert(
    fc.property(
      fc.array(policyEvents, { maxLength: 60, size: "max" }),
      fc.infiniteStream(fc.nat(2)),
      (events, takes) => {
        const [world, compiler] = [new ChangingWorld(), new PolicyCompiler()];
        let kernel = EMPTY_TABLE;
        for (const event of events) {
          world.play(event, compiler);
          const wanted = compilePolicyTable(world, world);
          assertEquals(renderPolicyTable(compiler.table), renderPolicyTable(wanted));
          // Not after each: what came and went in between must leave no trace.
          if (takes.next().value === 0) continue;
          const changes = compiler.takeChanges();
          if (changes !== undefined) kernel = applyChanges(kernel, changes);
          assertEquals(kernel, wanted);
          assertEquals(compiler.takeChanges(), undefined);
        }
      },
    ),
    { numRuns: 300 },
  );
});
