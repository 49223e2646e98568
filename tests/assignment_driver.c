/** What test_assignment_peers.sh asks: numbers from stdin as native doubles, n, d, x [n][d], y [n][d]; the mean squared
 *  distance of the optimal pairs and the processor time it took, in seconds, on stdout. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "numerics/assignment.h"

int main(void)
{
  dcs_status st = DCS_OK;
  double size[2], *points = NULL;
  dcs_assignment *assignment = NULL;
  if (fread(size, sizeof *size, 2, stdin) != 2) return EXIT_FAILURE;
  size_t numbers = (size_t)size[0] * (size_t)size[1];
  DCS_TRY(dcs_alloc(2 * numbers, sizeof *points, &points));
  DCS_TRY(fread(points, sizeof *points, 2 * numbers, stdin) == 2 * numbers ? DCS_OK : DCS_EIO);
  DCS_TRY(dcs_assignment_create((int)size[0], (int)size[1], &assignment));
  clock_t start = clock();
  double cost = dcs_assignment_solve(assignment, points, points + numbers);
  printf("%.17g %.6f\n", cost, (double)(clock() - start) / CLOCKS_PER_SEC);
done:
  dcs_assignment_destroy(&assignment);
  dcs_free(&points);
  return st == DCS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
