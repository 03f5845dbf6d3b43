#include "cli/command.h"

int main(int argc, char** argv) {
  return freshet::run_cli(argc, argv);
}
