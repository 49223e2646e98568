# Run at every build with -P: fill build.c.in. configure_file leaves the file alone when the text is the same.
set(DCS_GIT_DESCRIBE "")
if(GIT AND EXISTS "${SOURCE}/.git") # not a release tarball inside somebody else's repository
  execute_process(COMMAND "${GIT}" -C "${SOURCE}" describe --always --tags --dirty
    OUTPUT_VARIABLE DCS_GIT_DESCRIBE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT DCS_GIT_DESCRIBE)
  set(DCS_GIT_DESCRIBE "unknown")
endif()
foreach(text DCS_GIT_DESCRIBE DCS_COMPILER DCS_FLAGS) # as C string literals
  string(REGEX REPLACE "([\"\\\\])" "\\\\\\1" ${text} "${${text}}")
  string(REGEX REPLACE "[\t ]+" " " ${text} "${${text}}") # tabs separate fields in /provenance
endforeach()
configure_file("${IN}" "${OUT}" @ONLY)
