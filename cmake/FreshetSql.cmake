# Embeds .sql files. A folder src/X with files name.sql gets the generated header
# "X/sql.h", in which namespace freshet::sql holds kSqlName (a std::string_view)
# for each of them; create_slot.sql becomes kSqlCreateSlot.

# Sets <out> to the headers generated for the .sql files below src/<dir>.
function(freshet_embed_sql dir out)
  file(GLOB_RECURSE sql_files CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/src"
       "${PROJECT_SOURCE_DIR}/src/${dir}/*.sql")
  set(folders "")
  foreach(sql_file IN LISTS sql_files)
    get_filename_component(folder "${sql_file}" DIRECTORY)
    list(APPEND folders "${folder}")
    string(MAKE_C_IDENTIFIER "${folder}" key)
    list(APPEND files_${key} "${PROJECT_SOURCE_DIR}/src/${sql_file}")
  endforeach()
  list(REMOVE_DUPLICATES folders)

  set(headers "")
  foreach(folder IN LISTS folders)
    string(MAKE_C_IDENTIFIER "${folder}" key)
    set(header "${PROJECT_BINARY_DIR}/generated/${folder}/sql.h")
    string(REPLACE ";" "," inputs "${files_${key}}")
    add_custom_command(
      OUTPUT "${header}"
      COMMAND "${CMAKE_COMMAND}" "-DOUTPUT=${header}" "-DINPUTS=${inputs}"
              -P "${PROJECT_SOURCE_DIR}/cmake/embed_sql.cmake"
      DEPENDS ${files_${key}} "${PROJECT_SOURCE_DIR}/cmake/embed_sql.cmake"
      COMMENT "Embedding SQL of ${folder}"
      VERBATIM)
    list(APPEND headers "${header}")
  endforeach()
  set(${out} "${headers}" PARENT_SCOPE)
endfunction()
